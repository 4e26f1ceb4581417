/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_CLI_INSTALL_H
#define STOQ_CLI_INSTALL_H

/*
 * The parts of `stoq install`: bring a plugin into a directory of our own (a copy, or
 * what a tarball holds), check it there, move it to its place. One thread.
 */

#include <stdbool.h>
#include <stdint.h>

#include <stoq/error.h>

/** What one installation may hold. */
#define CLI_INSTALL_BYTES ((uint64_t)256 << 20)
#define CLI_INSTALL_FILES 2000U
#define CLI_INSTALL_DEPTH 8U
/** How names of directories begin that installations use meanwhile. */
#define CLI_INSTALL_STAGING ".install-"

/** How much of that is used up. */
struct cli_install_count {
    uint64_t bytes;
    unsigned files;
};
/** Count one more file or directory, and bytes. @return 0 or -EFBIG with a line. */
int cli_install_count(struct cli_install_count *c, uint64_t bytes,
                      struct stoq_error *err);
/** Whether a file may be called @p name: no control characters, not "." or "..".
 *  @p path is for the message. @return 0 or -EINVAL. */
int cli_install_name(const char *name, const char *path, struct stoq_error *err);
/** Create file @p name in @p dir, which has none of that name: mode 0644, or 0755 for a
 *  program, whatever the umask is. @return a descriptor the caller closes, or -errno
 * with a line. */
int cli_install_create(int dir, const char *name, bool program, const char *path,
                       struct stoq_error *err);
/** The same for a directory, mode 0755; one that is there already is opened when
 *  @p again. */
int cli_install_mkdir(int dir, const char *name, bool again, const char *path,
                      struct stoq_error *err);

/** Copy the regular files and directories of @p source into @p to. Hidden ones are left
 *  out; links, devices and what everybody may write are refused. */
int cli_install_copy(const char *source, int to, struct stoq_error *err);

/** Write what the tar archive @p fd (named @p path, for messages) holds into @p to.
 *  Same rules. Call it apart: it parses bytes that others made. @return 0; -ENOTSUP
 *  when this was built without libarchive; -errno. */
int cli_install_unpack(int fd, const char *path, int to, struct stoq_error *err);

/** One plugin about to be moved to its place. */
struct cli_install_move {
    int home;            /**< the plugin directory */
    const char *staging; /**< our own directory in it: HOME/.install-xxxxxx */
    const char *staged;  /**< the plugin, in there */
    const char *name;    /**< what it is to be called in home */
    bool upgrade;        /**< what is there goes where the new one was */
    bool in_steps;       /**< out: it was not one step */
};

/** Move it. @return 0; -EEXIST there is one and @p upgrade is not set; -errno. After a
 *  failure, and after a crash once cli_install_recover() ran, home has what it had. */
int cli_install_commit(struct cli_install_move *m, struct stoq_error *err);
/** Remove what crashed installations left in @p home (of path @p path), and put plugins
 *  back that they had moved aside. Nobody else may be installing there. */
void cli_install_recover(int home, const char *path);

#endif
