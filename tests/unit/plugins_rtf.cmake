# SPDX-License-Identifier: Apache-2.0
if(TARGET plugin_rtf)
  stoq_plugins_test(test_plugins_rtf plugin_rtf)
endif()
