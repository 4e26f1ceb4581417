# SPDX-License-Identifier: Apache-2.0
if(TARGET plugin_iocextract)
  stoq_plugins_test(test_plugins_iocextract plugin_iocextract)
endif()
