# SPDX-License-Identifier: Apache-2.0
stoq_plugin(symhash LIBS PkgConfig::CRYPTO SOURCES common/macho.c)
