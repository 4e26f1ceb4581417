# SPDX-License-Identifier: Apache-2.0
if(TARGET plugin_javaclass)
  stoq_plugins_test(test_plugins_javaclass plugin_javaclass)
  target_compile_definitions(test_plugins_javaclass PRIVATE
    SAMPLES="${PROJECT_SOURCE_DIR}/plugins/javaclass/selftest")
endif()
