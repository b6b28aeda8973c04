"""The curve against the angle, as pages draw it. No torch."""


def file_name(member: int, plane: tuple[int, int]) -> str:
    """Name the record of one member and plane of latents; its arrays are listed in `compute.rotation`."""
    return f"rotation-{member}-{plane[0]}-{plane[1]}"
