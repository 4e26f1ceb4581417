# SPDX-License-Identifier: Apache-2.0
stoq_optional(build_mimetype STOQ_PLUGIN_MIMETYPE MAGIC libmagic "mimetype worker")
if(build_mimetype)
  stoq_plugin(mimetype LIBS PkgConfig::MAGIC)
endif()
