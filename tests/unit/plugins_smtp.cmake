# SPDX-License-Identifier: Apache-2.0
if(TARGET plugin_smtp)
  stoq_plugins_test(test_plugins_smtp plugin_smtp)
endif()
