# SPDX-License-Identifier: Apache-2.0
# The tests run librdkafka's mock cluster: brokers that live in the test's own process.
if(TARGET plugin_kafka-queue)
  stoq_plugins_test(test_plugins_kafka plugin_kafka-queue)
  target_sources(test_plugins_kafka PRIVATE plugins_queues.c)
  target_link_libraries(test_plugins_kafka PRIVATE PkgConfig::RDKAFKA)
  # groups take their time
  set_tests_properties(test_plugins_kafka PROPERTIES TIMEOUT 300)
endif()
