// SPDX-License-Identifier: Apache-2.0
rule broken
{
    condition:
        $nowhere
}
