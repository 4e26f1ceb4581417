# SPDX-License-Identifier: Apache-2.0
if(TARGET plugin_trid)
  stoq_plugins_test(test_plugins_trid plugin_trid)
endif()
