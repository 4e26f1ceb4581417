# SPDX-License-Identifier: Apache-2.0
if(TARGET plugin_swfcarve)
  stoq_plugins_test(test_plugins_swfcarve plugin_swfcarve)
  target_sources(test_plugins_swfcarve PRIVATE plugins_office.c)
  target_link_libraries(test_plugins_swfcarve PRIVATE PkgConfig::SWFCARVE)
endif()
