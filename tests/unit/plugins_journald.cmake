# SPDX-License-Identifier: Apache-2.0
# A connector: the journal is a socket of the test.
stoq_plugins_test(test_plugins_journald plugin_journald)
target_sources(test_plugins_journald PRIVATE plugins_sinks.c)
