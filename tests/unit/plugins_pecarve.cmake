# SPDX-License-Identifier: Apache-2.0
if(TARGET plugin_pecarve)
  stoq_plugins_test(test_plugins_pecarve plugin_pecarve)
endif()
