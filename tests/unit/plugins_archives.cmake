# SPDX-License-Identifier: Apache-2.0
# Plugins that unpack: the tests make their archives with libarchive's writer.
stoq_plugins_test(test_plugins_xordecode plugin_xordecode)
if(TARGET plugin_decompress)
  foreach(name test_plugins_decompress test_plugins_decompress_bombs)
    stoq_plugins_test(${name} plugin_decompress)
    target_link_libraries(${name} PRIVATE PkgConfig::ARCHIVE)
  endforeach()
endif()
