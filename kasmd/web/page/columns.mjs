// Columns, kasmd's encoding for text (docs/columns.rst), for noVNC: lines of text are
// sent as the columns of pixels that they are made of, and which of them follows which.

import RFB from "./novnc/core/rfb.js";
import Inflate from "./novnc/core/inflator.js";

const COLUMNS = 0x6b736d64;
const HEAD = 11;
const OPAQUE = 0xff000000;

function pixel(red, green, blue) {
    return (OPAQUE | blue << 16 | green << 8 | red) >>> 0;
}

// Numbers among so many of something: in one byte each, or in two.
function sizeOf(count) {
    return count > 256 ? 2 : 1;
}

function number(data, count, at) {
    return count > 256 ? data[2 * at] << 8 | data[2 * at + 1] : data[at];
}

function columnSize(colours, rows) {
    if (colours === 0) {
        return 3 * rows;
    }
    return colours > 2 ? rows * sizeOf(colours) : Math.ceil(rows / 8);
}

function readPalette(data, colours) {
    const palette = new Uint32Array(colours);
    let [red, green, blue] = [0, 0, 0];
    for (let i = 0; i < colours; i++) {
        red += data[i];
        green += data[colours + i];
        blue += data[2 * colours + i];
        palette[i] = pixel(red & 255, green & 255, blue & 255);
    }
    return palette;
}

// Gives what tells a column's pixel in a row, from the bytes of all columns.
function pixelsIn(data, palette, { colours, rows, count }) {
    if (colours === 0) {
        const plane = rows * count;
        return (column, row) => {
            const at = column * rows + row;
            const green = data[at];
            return pixel(data[plane + at] + green & 255, green, data[2 * plane + at] + green & 255);
        };
    }
    if (colours > 2) {
        return (column, row) => palette[number(data, colours, column * rows + row)];
    }
    const bytes = columnSize(colours, rows);
    return (column, row) => palette[data[column * bytes + (row >> 3)] >> (7 - (row & 7)) & 1];
}

function draw(data, width, height, head) {
    const { colours, rows, bands, count } = head;
    const heights = data.subarray(0, bands);
    const palette = readPalette(data.subarray(bands), colours);
    const pixelOf = pixelsIn(data.subarray(bands + 3 * colours), palette, head);
    const columns = new Uint32Array(rows * count);
    for (let row = 0, at = 0; row < rows; row++) {
        for (let column = 0; column < count; column++) {
            columns[at++] = pixelOf(column, row);
        }
    }
    const written = data.subarray(data.length - bands * width * sizeOf(count));
    const numbers = new Uint16Array(width);
    const pixels = new Uint32Array(width * height);
    let to = 0;
    heights.forEach((band, which) => {
        for (let x = 0; x < width; x++) {
            numbers[x] = number(written, count, which * width + x);
        }
        for (let row = 0; row < band; row++, to += width) {
            const from = row * count;
            for (let x = 0; x < width; x++) {
                pixels[to + x] = columns[from + numbers[x]];
            }
        }
    });
    return new Uint8Array(pixels.buffer);
}

class ColumnsDecoder {
    #head = null;
    #inflate = new Inflate();

    decodeRect(x, y, width, height, sock, display) {
        if (this.#head === null) {
            if (sock.rQwait("columns' head", HEAD)) {
                return false;
            }
            this.#head = {
                packed: sock.rQshift32() - HEAD + 4,
                colours: sock.rQshift16(),
                rows: sock.rQshift8(),
                bands: sock.rQshift16(),
                count: sock.rQshift16(),
            };
        }
        const head = this.#head;
        if (sock.rQwait("columns", head.packed)) {
            return false;
        }
        this.#head = null;
        const { colours, rows, bands, count } = head;
        const size = bands + 3 * colours + count * columnSize(colours, rows) + bands * width * sizeOf(count);
        this.#inflate.reset();
        this.#inflate.setInput(sock.rQshiftBytes(head.packed, false));
        const data = this.#inflate.inflate(size);
        this.#inflate.setInput(null);
        display.blitImage(x, y, width, height, draw(data, width, height, head), 0);
        return true;
    }
}

// Have `rfb`, which is not connected yet, read columns.
export function readColumns(rfb) {
    rfb._decoders[COLUMNS] = new ColumnsDecoder();
}

// Every RFB of this page lists columns, and must be given to readColumns.
const { clientEncodings } = RFB.messages;
RFB.messages.clientEncodings = (sock, encodings) => clientEncodings(sock, [COLUMNS, ...encodings]);
