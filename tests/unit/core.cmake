# SPDX-License-Identifier: Apache-2.0
# These load plugins, which link the library: so does the test, to have it once.
foreach(what content document engine limits queue ratelimit rounds)
  stoq_unit_test(test_core_${what} stoq)
  target_sources(test_core_${what} PRIVATE test_core_fixture.c)
  target_compile_definitions(test_core_${what} PRIVATE
    STOQ_TEST_VERSION="${PROJECT_VERSION}")
endforeach()
set_tests_properties(test_core_engine test_core_queue PROPERTIES LABELS "unit;threads")

# It brings its own malloc, as sanitizers do.
if(NOT STOQ_SANITIZE)
  stoq_unit_test(test_core_nomem stoq)
  target_sources(test_core_nomem PRIVATE test_core_fixture.c)
endif()
