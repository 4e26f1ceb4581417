# SPDX-License-Identifier: Apache-2.0
# Plugins that unpack: the tests make their archives with libarchive's writer.
stoq_plugins_test(test_plugins_xordecode plugin_xordecode)
if(TARGET plugin_decompress)
  foreach(part "" _bombs _forms)
    stoq_plugins_test(test_plugins_decompress${part} plugin_decompress)
    target_link_libraries(test_plugins_decompress${part} PRIVATE PkgConfig::ARCHIVE)
  endforeach()
  get_target_property(definitions plugin_decompress COMPILE_DEFINITIONS)
  if(definitions MATCHES HAVE_MSPACK)
    target_compile_definitions(test_plugins_decompress_forms PRIVATE HAVE_MSPACK)
  endif()
endif()
