# SPDX-License-Identifier: Apache-2.0
if(TARGET plugin_xdpcarve)
  stoq_plugins_test(test_plugins_xdpcarve plugin_xdpcarve)
  target_sources(test_plugins_xdpcarve PRIVATE plugins_office.c)
endif()
