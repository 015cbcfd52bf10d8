from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class FolderMark(Base):
    """The name of a file that the API leaves in its folders: who sees it there shares them.

    Of the service, not of a tenant; there is one row.
    """

    __tablename__ = "folder_marks"

    service: Mapped[str] = mapped_column(String(16), primary_key=True)
    mark: Mapped[str] = mapped_column(String(32))
    """Random."""
