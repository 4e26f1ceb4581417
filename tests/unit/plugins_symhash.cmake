# SPDX-License-Identifier: Apache-2.0
if(TARGET plugin_symhash)
  stoq_plugins_test(test_plugins_symhash plugin_symhash)
  target_compile_definitions(test_plugins_symhash PRIVATE
    SAMPLES="${PROJECT_SOURCE_DIR}/plugins/symhash/selftest")
endif()
