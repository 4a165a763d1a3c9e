// eq_exponentials: the part that both kinds of softmax share: a row of codes, its maximum, exp(x - max) by table.
//
// BITS, SIGNED   width of a code, 1: two's complement
// COUNT          codes of a row
// TABLE_BITS, TABLE_SIZE, TABLE   width of an entry, entries, file; entry d stands for a distance of d from the maximum,
//                the last one for all greater distances
//
// clk, rst       in   clock; synchronous reset: waits for the first code of a row
// s_*            in   codes of a row; s_ready: the row is not full
// full           out  the row is complete and its maximum known
// clear          in   the row is done, the next one may come
// ask, index     in   exponential of element `index`, one a cycle
// valid, value   out  five cycles later, registered
module eq_exponentials #(
    parameter BITS       = 8,
    parameter SIGNED     = 1,
    parameter COUNT      = 10,
    parameter TABLE_BITS = 16,
    parameter TABLE_SIZE = 256,
    parameter TABLE      = "",
    parameter INDEX_BITS = COUNT > 1 ? $clog2(COUNT) : 1
) (
    input  wire                  clk,
    input  wire                  rst,
    input  wire [BITS-1:0]       s_data,
    input  wire                  s_valid,
    output wire                  s_ready,
    output reg                   full,
    input  wire                  clear,
    input  wire                  ask,
    input  wire [INDEX_BITS-1:0] index,
    output wire                  valid,
    output reg  [TABLE_BITS-1:0] value
);
    localparam TB = TABLE_SIZE > 1 ? $clog2(TABLE_SIZE) : 1;
    localparam DB = BITS > TB ? BITS : TB;
    localparam [DB:0] MOST = TABLE_SIZE - 1;

    wire take = s_valid && s_ready;
    wire last;
    wire [INDEX_BITS-1:0] element;
    wire [BITS-1:0] order, stored;
    reg [BITS-1:0] greatest, distance;
    reg [TB-1:0] place;
    reg first;
    wire [TABLE_BITS-1:0] entry;
    reg [4:0] age;
    assign s_ready = !full;
    assign valid = age[4];

    eq_counter #(.N(COUNT)) counter (.clk(clk), .rst(rst), .advance(take), .value(element), .last(last));
    eq_order #(.BITS(BITS), .SIGNED(SIGNED)) key (.code(s_data), .order(order));
    eq_ram #(.WIDTH(BITS), .DEPTH(COUNT)) row (
        .clk(clk), .write(take), .write_address(element), .write_data(order),
        .read(1'b1), .read_address(index), .read_data(stored));
    eq_rom #(.WIDTH(TABLE_BITS), .DEPTH(TABLE_SIZE), .FILE(TABLE)) table_rom (
        .clk(clk), .address(place), .data(entry));

    wire [DB:0] wide = {{(DB - BITS + 1){1'b0}}, distance};
    always @(posedge clk) begin
        if (take) begin
            if (first || order > greatest) greatest <= order;
            first <= last;
        end
        full <= !clear && (full || take && last);
        age <= {age[3:0], ask};
        value <= entry;                         // block RAMs are slow to answer
        distance <= greatest - stored;
        place <= wide > MOST ? MOST[TB-1:0] : wide[TB-1:0];
        if (rst) {full, first, age} <= 7'b0100000;
    end
endmodule
