"""How a data set may lie on disk: one file per layout, and how its classes are numbered."""
