# SPDX-License-Identifier: Apache-2.0
# A decorator and connector: its templates are written by the test.
if(TARGET plugin_jinja)
  stoq_plugins_test(test_plugins_jinja plugin_jinja)
endif()
