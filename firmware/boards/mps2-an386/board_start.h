/** What board.c has beside board.h. */
#ifndef BOARD_START_H
#define BOARD_START_H

/** Before anything of board.h. */
void board_start(void);

#endif
