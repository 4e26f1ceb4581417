# SPDX-License-Identifier: Apache-2.0
if(TARGET plugin_hash_ssdeep)
  stoq_plugins_test(test_plugins_hash_ssdeep plugin_hash_ssdeep)
endif()
