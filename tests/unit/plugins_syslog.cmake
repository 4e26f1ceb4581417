# SPDX-License-Identifier: Apache-2.0
# A connector: its servers are sockets of the test.
if(TARGET plugin_syslog)
  stoq_plugins_test(test_plugins_syslog plugin_syslog)
  target_sources(test_plugins_syslog PRIVATE plugins_sinks.c)
endif()
