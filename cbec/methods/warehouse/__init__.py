"""Where goods lie: slotting, walks of pickers, moves, transfers between warehouses."""
