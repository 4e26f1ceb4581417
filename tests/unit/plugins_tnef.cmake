# SPDX-License-Identifier: Apache-2.0
if(TARGET plugin_tnef)
  stoq_plugins_test(test_plugins_tnef plugin_tnef)
endif()
