# SPDX-License-Identifier: Apache-2.0
stoq_plugin(inject)
