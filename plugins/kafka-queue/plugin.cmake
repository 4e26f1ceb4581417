# SPDX-License-Identifier: Apache-2.0
set(STOQ_PLUGIN_KAFKA_QUEUE AUTO CACHE STRING
  "Build the kafka-queue plugin: AUTO, ON or OFF")
if(STOQ_SANITIZE STREQUAL "thread")
  # librdkafka starts its threads with thrd_create(3), which the sanitizer does not see
  set(build_kafka_queue FALSE)
  stoq_feature(STOQ_PLUGIN_KAFKA_QUEUE "kafka-queue provider, archiver, connector" OFF
    "not with ThreadSanitizer")
else()
  stoq_optional(build_kafka_queue STOQ_PLUGIN_KAFKA_QUEUE RDKAFKA rdkafka>=1.9
    "kafka-queue provider, archiver, connector")
endif()
if(build_kafka_queue)
  stoq_plugin(kafka-queue LIBS PkgConfig::RDKAFKA Threads::Threads SOURCES common/ledger.c)
endif()
