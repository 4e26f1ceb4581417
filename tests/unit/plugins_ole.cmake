# SPDX-License-Identifier: Apache-2.0
if(TARGET plugin_ole)
  stoq_plugins_test(test_plugins_ole plugin_ole)
  target_sources(test_plugins_ole PRIVATE plugins_office.c plugins_office_cfb.c)
endif()
