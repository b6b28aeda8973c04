"""The curve against the angle, as pages draw it. No torch."""


def file_name(member: int, plane: tuple[int, int]) -> str:
    """Return the name of the record of a member and plane; `compute.rotation` lists its arrays."""
    return f"rotation-{member}-{plane[0]}-{plane[1]}"
