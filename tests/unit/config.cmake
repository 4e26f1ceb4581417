# SPDX-License-Identifier: Apache-2.0
stoq_unit_test(test_core_config core plugin util)
