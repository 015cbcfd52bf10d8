"""The paper's pictures, drawn from the files of finished cells."""

from labelaudit.study.pictures.draw import draw_pictures

__all__ = ["draw_pictures"]
