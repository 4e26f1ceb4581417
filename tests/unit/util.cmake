# SPDX-License-Identifier: Apache-2.0
stoq_unit_test(test_util_child util)
stoq_unit_test(test_util_ini util)
stoq_unit_test(test_util_io util)
stoq_unit_test(test_util_json util)
stoq_unit_test(test_util_log util)
stoq_unit_test(test_util_small util)
