# SPDX-License-Identifier: Apache-2.0
if(TARGET plugin_exif)
  stoq_plugins_test(test_plugins_exif plugin_exif)
  target_compile_definitions(test_plugins_exif PRIVATE
    SAMPLES="${PROJECT_SOURCE_DIR}/plugins/exif/selftest")
endif()
