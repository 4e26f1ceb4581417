# SPDX-License-Identifier: Apache-2.0
# A connector. Without a server, what needs none; tests/cli/postgres.sh starts one and
# runs this program again.
if(TARGET plugin_postgres)
  stoq_plugins_test(test_plugins_postgres plugin_postgres)
  target_sources(test_plugins_postgres PRIVATE plugins_sinks.c)
endif()
