# SPDX-License-Identifier: Apache-2.0
# A connector. Without a server, what needs none; tests/cli/es_search.sh starts a stand-in
# and runs this program again.
if(TARGET plugin_es-search)
  stoq_plugins_test(test_plugins_es_search plugin_es-search)
  target_sources(test_plugins_es_search PRIVATE plugins_sinks.c)
endif()
