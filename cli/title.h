/* SPDX-License-Identifier: Apache-2.0 */
/* title.h - what ps(1) shows of this process. */
#ifndef COLONY_CLI_TITLE_H
#define COLONY_CLI_TITLE_H

/* Blanks the arguments from argv[0] on, which must have been read: what is left is what stands
 * before them. */
void title_hide_arguments(int argc, char **argv);

#endif
