"""Later releases of a shipping workflow, and the edits by which they fit its recorded runs."""

from __future__ import annotations

from perdure import activity, workflow

NAME = "parcel"


@activity.defn
async def weigh(parcel: str) -> int:
    return len(parcel)


@activity.defn
async def insure(parcel: str) -> str:
    return parcel


@activity.defn
async def send(parcel: str, weight: int) -> str:
    return f"{parcel} of {weight}"


@workflow.defn(name=NAME)
async def recorded(parcel: str) -> str:
    workflow.patched("scales")
    weight = await weigh(parcel)
    await workflow.sleep(0.25)
    return await send(parcel, weight)


@workflow.defn(name=NAME)
async def insured(parcel: str) -> str:
    workflow.patched("scales")
    weight = await weigh(parcel)
    await workflow.sleep(0.25)
    await insure(parcel)
    return await send(parcel, weight)


@workflow.defn(name=NAME)
async def insured_by_name(parcel: str) -> str:
    workflow.patched("scales")
    weight = await weigh(parcel)
    await workflow.sleep(0.25)
    parcel = await insure(parcel)
    return await send(parcel, weight)


@workflow.defn(name=NAME)
async def at_once(parcel: str) -> str:
    workflow.patched("scales")
    weight = await weigh(parcel)
    return await send(parcel, weight)


@workflow.defn(name=NAME)
async def only_insured(parcel: str) -> str:
    workflow.patched("scales")
    await weigh(parcel)
    await workflow.sleep(0.25)
    return await insure(parcel)


@workflow.defn(name=NAME)
async def without_patch(parcel: str) -> str:
    weight = await weigh(parcel)
    await workflow.sleep(0.25)
    return await send(parcel, weight)
