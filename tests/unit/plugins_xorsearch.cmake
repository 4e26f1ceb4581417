# SPDX-License-Identifier: Apache-2.0
if(TARGET plugin_xorsearch)
  stoq_plugins_test(test_plugins_xorsearch plugin_xorsearch)
endif()
