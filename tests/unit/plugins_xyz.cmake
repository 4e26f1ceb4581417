# SPDX-License-Identifier: Apache-2.0
if(TARGET plugin_xyz)
  stoq_plugins_test(test_plugins_xyz plugin_xyz)
  pkg_check_modules(XYZ_TEST_ZLIB REQUIRED QUIET IMPORTED_TARGET zlib)
  target_link_libraries(test_plugins_xyz PRIVATE PkgConfig::XYZ_TEST_ZLIB)
endif()
