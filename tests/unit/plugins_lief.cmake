# SPDX-License-Identifier: Apache-2.0
if(TARGET plugin_lief)
  stoq_plugins_test(test_plugins_lief plugin_lief)
  target_compile_definitions(test_plugins_lief PRIVATE
    SAMPLES="${PROJECT_SOURCE_DIR}/plugins/lief/selftest")
endif()
