# SPDX-License-Identifier: Apache-2.0
# A provider that watches: the test runs it in a thread of its own.
if(TARGET plugin_dirmon)
  stoq_plugins_test(test_plugins_dirmon plugin_dirmon)
endif()
