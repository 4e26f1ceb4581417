# SPDX-License-Identifier: Apache-2.0
stoq_unit_test(test_store_results store util)
stoq_unit_test(test_store_open store util)
stoq_unit_test(test_store_outbox store util)
stoq_unit_test(test_store_writer store util)
stoq_unit_test(test_store_bounds store util)
stoq_unit_test(test_store_letters store util)
