# SPDX-License-Identifier: Apache-2.0
# Workers side by side on one large payload.
stoq_unit_test(test_core_abreast stoq)
target_sources(test_core_abreast PRIVATE test_core_fixture.c)
target_compile_definitions(test_core_abreast PRIVATE
  STOQ_TEST_VERSION="${PROJECT_VERSION}")
set_tests_properties(test_core_abreast PROPERTIES LABELS "unit;threads")
