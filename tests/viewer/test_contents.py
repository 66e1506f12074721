"""What an update holds: parts for a thin link, in turn, and no loss that stays."""

from __future__ import annotations

from typing import Optional

from twisted.internet.task import Clock

from bench.pictures import film as film_of
from kasmd.rfb.capabilities import Capabilities
from kasmd.rfb.numbers import Encoding
from kasmd.screen.geometry import Rect
from kasmd.screen.pixels import BGRX
from kasmd.screen.region import Region
from kasmd.viewer.contents import Contents
from kasmd.viewer.motion import Motion
from kasmd.viewer.quality import Rules
from kasmd.viewer.sharing import Encodings
from kasmd.viewer.update import Piece, Update
from tests.viewer.scene import Display
from tests.written import written

ALL = Rect(0, 0, 640, 480)


def contents_for(can: Capabilities, film: Optional[Rect] = None) -> Contents:
    """Give what is to be sent to one who can do this, where a ``film`` plays."""
    motion = Motion(Clock())
    motion.film = film
    contents = Contents(Rules(), motion, ALL.width, ALL.height)
    contents.serve(can, BGRX, scales=False)
    return contents


def send(contents: Contents, display: Display, pieces: list[Piece]) -> int:
    """Send ``pieces``; give the bytes."""
    update, size = Update(b"", pieces, False, Encodings(), None), 0
    while not update.done:
        data, shown, lossy = update.next_slice(display.snapshot)
        contents.sent(shown, lossy, True)
        size += len(data)
    contents.cost(size)
    return size


def test_over_a_thin_link_an_update_is_as_small_as_it_should_be() -> None:
    display = Display(ALL.width, ALL.height)
    display.noise(ALL, 1)
    contents = contents_for(Capabilities(preferred=Encoding.TIGHT, last_rect=True))
    send(contents, display, contents.plan(Region([ALL]), None, 0.0, 0.0))
    contents.everything(ALL.width, ALL.height)
    sizes = []
    while contents.owed.region:
        pieces = contents.plan(contents.owed.region, 100_000, 1e6, 0.0)
        sizes.append(send(contents, display, pieces))
    assert max(sizes) < 150_000 and len(sizes) > 6


def test_rectangles_of_jpeg_are_refined() -> None:
    display = Display(ALL.width, ALL.height)
    display.noise(ALL, 1)
    contents = contents_for(Capabilities(
        preferred=Encoding.HEXTILE, jpeg_level=6, jpeg_rectangles=True, last_rect=True
    ))
    send(contents, display, contents.plan(Region([ALL]), None, 0.0, 0.0))
    assert not contents.owed.region
    for now in range(9):
        contents.ripen(float(now), 0.1)
        pieces = contents.refining(ALL, None, 0.0, float(now))
        send(contents, display, pieces)
    assert not contents.refinement and contents.ripen(9.0, 0.1) is None


def test_nothing_is_refined_while_much_moves_and_letters_do_not_hinder() -> None:
    display = Display(ALL.width, ALL.height)
    display.noise(ALL, 1)
    contents = contents_for(Capabilities(preferred=Encoding.TIGHT, jpeg_level=6, last_rect=True))
    send(contents, display, contents.plan(Region([ALL]), None, 0.0, 0.0))
    here = Rect(0, 0, 100, 100)
    for number in range(10):
        now = number / 20
        contents.changed(Region([here]), (), False, now)
        send(contents, display, contents.plan(contents.owed.region, None, 0.0, now))
        contents.ripen(now, 0.05)
        assert not contents.due(now) and not contents.refining(ALL, None, 0.0, now)
    letter = Region([here._replace(width=10, height=10)])
    contents.changed(letter, (), False, 0.6)
    send(contents, display, contents.plan(contents.owed.region, None, 0.0, 0.6))
    assert contents.due(0.6) and contents.refining(ALL, None, 0.0, 0.6)


def test_small_news_goes_before_the_rest_and_the_rest_is_not_forgotten() -> None:
    display, key = Display(ALL.width, ALL.height), Rect(600, 440, 20, 20)
    contents = contents_for(Capabilities(preferred=Encoding.TIGHT, last_rect=True))
    display.noise(ALL, 1)
    send(contents, display, contents.plan(Region([ALL]), None, 0.0, 0.0))
    contents.everything(ALL.width, ALL.height)
    contents.changed(Region([key]), (), False, 0.0)
    planned = []
    for number in range(4):
        pieces = contents.plan(contents.owed.region, 10_000, 250e3, 0.0)
        planned.append(Region(piece.rect for piece in pieces))
        send(contents, display, pieces)
        contents.changed(Region([key]), (), False, 0.0)
    assert planned[0] == planned[2] == Region([key])
    for part in planned[1], planned[3]:
        assert not Region([key]).subtract(part) and part.area > 2 * key.area
    contents.plan(contents.owed.region, 10_000, 250e3, 0.0)
    contents.changed(Region([ALL._replace(height=100)]), (), False, 0.0)
    old = Region(piece.rect for piece in contents.plan(contents.owed.region, 10_000, 250e3, 0.0))
    assert Region([key]).subtract(old), "what is no news waits its turn"


def test_news_for_which_there_was_no_room_is_news_still() -> None:
    display, key = Display(ALL.width, ALL.height), Rect(600, 440, 20, 20)
    contents = contents_for(Capabilities(preferred=Encoding.TIGHT, last_rect=True))
    display.noise(ALL, 1)
    send(contents, display, contents.plan(Region([ALL]), None, 0.0, 0.0))
    contents.everything(ALL.width, ALL.height)
    smaller = [Rect(x, 0, 19, 19) for x in range(0, 620, 21)]
    contents.changed(Region([key, *smaller]), (), False, 0.0)
    planned = []
    for _ in range(16):
        pieces = contents.plan(contents.owed.region, 10_000, 250e3, 0.0)
        planned.append(Region(piece.rect for piece in pieces))
        send(contents, display, pieces)
    first = [not Region([key]).subtract(part) for part in planned].index(True)
    assert 1 < first < 15, "the smaller ones went first, and then it"


def test_small_changes_go_before_a_film_that_takes_long() -> None:
    display, film = Display(ALL.width, ALL.height), Rect(0, 0, 640, 400)
    can = Capabilities(preferred=Encoding.TIGHT, jpeg_level=6, last_rect=True)
    contents = contents_for(can, film)
    send(contents, display, contents.plan(Region([ALL]), None, 0.0, 0.0))
    key = Rect(10, 450, 20, 20)
    planned = []
    for number in range(6):
        display.noise(film, number)
        changed = Region([film, key])
        contents.changed(changed, (), False, number / 30)
        pieces = contents.plan(contents.owed.region, 10_000, 250e3, number / 30)
        planned.append({piece.rect for piece in pieces})
        send(contents, display, pieces)
    assert {key} in planned, "a key waited for the film"
    assert any(key not in rects or len(rects) > 1 for rects in planned[-2:]), "no film any more"


def test_over_a_very_thin_link_a_film_comes_in_few_parts() -> None:
    """Else it is a blind of a hundred pictures, and most of its bytes are tables."""
    display = Display(ALL.width, ALL.height)
    can = Capabilities(preferred=Encoding.TIGHT, jpeg_level=6, last_rect=True)
    contents, sizes, left = contents_for(can, ALL), [], Region()
    picture = film_of(ALL.width, ALL.height, 1)[0]
    for number in range(60):
        display.paint(ALL, picture)
        contents.changed(Region([ALL]), (), False, number / 3)
        pieces = contents.plan(contents.owed.region, 1_024, 7e3, number / 3)
        left = (left or Region([ALL])).subtract(Region(piece.rect for piece in pieces))
        sizes.append(send(contents, display, pieces))
        if not left:
            del sizes[:]
    assert max(sizes) < 3_072 and min(sizes[1:-1]) > 1_500


def test_what_changes_within_a_film_and_is_no_picture_of_it_goes_first() -> None:
    display, key = Display(ALL.width, ALL.height), Region([Rect(600, 440, 20, 20)])
    can = Capabilities(preferred=Encoding.TIGHT, jpeg_level=6, last_rect=True)
    for around in (Region([ALL]), Region([ALL]).subtract(key)):
        contents, planned = contents_for(can, ALL), []
        for number in range(12):
            display.noise(ALL, number)
            contents.changed(around, (), False, number / 6)
            if number == 8:
                contents.changed(key, (), False, number / 6)
            pieces = contents.plan(contents.owed.region, 1_024, 7e3, number / 6)
            planned.append(Region(piece.rect for piece in pieces))
            send(contents, display, pieces)
        assert key in planned[8:10]
        assert key not in planned[:8] and key not in planned[10:]


def test_what_changed_together_with_a_films_picture_but_beside_it_is_news() -> None:
    display, key = Display(ALL.width, ALL.height), Region([Rect(600, 440, 20, 20)])
    can = Capabilities(preferred=Encoding.TIGHT, jpeg_level=6, last_rect=True)
    contents, around = contents_for(can, ALL), Region([ALL]).subtract(key)
    planned = []
    for number in range(12):
        display.noise(ALL, number)
        contents.changed(Region([ALL]) if number == 8 else around, (), False, number / 6)
        pieces = contents.plan(contents.owed.region, 1_024, 7e3, number / 6)
        planned.append(Region(piece.rect for piece in pieces))
        send(contents, display, pieces)
    assert key in planned[8:10]


def test_after_an_ended_update_the_next_part_is_what_it_left_out() -> None:
    display, top = Display(ALL.width, ALL.height), ALL._replace(height=96)
    display.noise(ALL, 1)
    contents = contents_for(Capabilities(preferred=Encoding.TIGHT, last_rect=True))
    contents.plan(contents.owed.region, None, 0.0, 0.0)
    contents.sent([top], [], True)
    contents.cost(top.area * 3, top.area / ALL.area)
    contents.changed(Region([ALL]), (), False, 0.0)
    pieces = contents.plan(contents.owed.region, 100_000, 1e6, 0.0)
    assert pieces[0].rect.y == top.bottom


def test_beside_a_film_it_is_learned_what_each_costs() -> None:
    display, film = Display(ALL.width, ALL.height), Rect(0, 0, 640, 240)
    can = Capabilities(preferred=Encoding.TIGHT, jpeg_level=6, last_rect=True)
    contents = contents_for(can, film)
    display.noise(film, 0)
    updates, still = 0, Region([ALL]).subtract(Region([film]))
    while contents.owed.region.intersect(still):
        updates += 1
        contents.changed(Region([film]), (), False, updates / 30)
        pieces = contents.plan(contents.owed.region, 10_000, 250e3, updates / 30)
        send(contents, display, pieces)
        assert updates < 12, "what stands is of one colour, and costs nothing"


READS_COLUMNS = Capabilities(
    preferred=Encoding.TIGHT, jpeg_level=6, last_rect=True, columns=True
)


def test_a_photograph_is_not_sent_again_with_the_text_around_it() -> None:
    display, photograph = Display(ALL.width, ALL.height), Rect(352, 100, 128, 128)
    display.noise(ALL, 1)
    contents = contents_for(READS_COLUMNS)
    send(contents, display, contents.plan(Region([ALL]), None, 0.0, 0.0))
    contents.everything(ALL.width, ALL.height)
    text = Region([ALL]).subtract(Region([photograph]))
    for rect in text.rects:
        display.paint(rect, written(rect.height, rect.width))
    pieces = contents.plan(text, None, 0.0, 0.0)
    assert any(photograph.intersection(piece.rect) for piece in pieces)
    assert send(contents, display, pieces) < 20_000
    assert contents.owed.region == Region([photograph])


def test_a_text_is_found_over_a_thin_link_also_after_a_photograph() -> None:
    sizes = {}
    for columns in (False, True):
        display = Display(ALL.width, ALL.height)
        display.noise(ALL, 1)
        contents = contents_for(READS_COLUMNS._replace(columns=columns))
        send(contents, display, contents.plan(Region([ALL]), None, 0.0, 0.0))
        contents.everything(ALL.width, ALL.height)
        display.paint(ALL, written(ALL.height, ALL.width))
        sizes[columns] = 0
        while contents.owed.region:
            pieces = contents.plan(contents.owed.region, 1500, 37_500, 0.0)
            sizes[columns] += send(contents, display, pieces)
    assert sizes[True] * 2 < sizes[False]
