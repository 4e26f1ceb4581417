# SPDX-License-Identifier: Apache-2.0
# The signatures are the test's own; the samples are those of the plugin's self-tests.
if(TARGET plugin_clamav)
  stoq_plugins_test(test_plugins_clamav plugin_clamav)
endif()
