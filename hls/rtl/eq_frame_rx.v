// Receiver of the host link's frames (docs/fpga-protocol.md): bytes to checked requests, payload to a buffer.
//
// A frame is A5 5E, type, sequence number, length (4 bytes), payload, CRC-32 (4 bytes), all little-endian. Types:
// 1 identify (no payload), 2 run (payload: 4 bytes network id, then BYTES bytes of codes), 3 reset (no payload).
// The payload is written out while it arrives, before its CRC is known: whoever keeps it uses it only when the
// request arrives with status 0.
//
// Parameters
//   BYTES        bytes of codes in one input of the network
//   ID           32 bits, the network that lives here; a run frame for another one is refused
//   IDLE_CYCLES  a pause of so many cycles between two bytes ends a frame that is under way
// Ports
//   clk, rst     rst is synchronous, active high: back to hunting for a frame
//   s_data       in, byte; s_valid in, one cycle per byte, at least 12 cycles apart (a UART's are 80)
//   busy         in, the device is not free: run and identify frames are refused with BUSY
//   w_data       out, payload byte; w_index out, its number from 0; w_valid out, one cycle per byte
//   m_kind       out, the type's two low bits; m_sequence out, the frame's sequence number
//   m_status     out, 0 good, 1 bad CRC, 2 bad length, 3 unknown type, 4 busy, 5 other network, 6 frame cut by a pause
//   m_valid      out, one cycle per request, good or refused
// After a refusal everything is ignored up to the next pause, so that no part of a broken frame is taken for a frame.
// No state waits without a limit: a pause leads back to hunting from every state.
module eq_frame_rx #(
    parameter BYTES = 64,
    parameter [31:0] ID = 32'd0,
    parameter IDLE_CYCLES = 1200000,
    parameter INDEX_BITS = BYTES > 1 ? $clog2(BYTES) : 1
) (
    input                       clk,
    input                       rst,
    input      [7:0]            s_data,
    input                       s_valid,
    input                       busy,
    output     [7:0]            w_data,
    output     [INDEX_BITS-1:0] w_index,
    output                      w_valid,
    output     [1:0]            m_kind,
    output     [7:0]            m_sequence,
    output     [2:0]            m_status,
    output reg                  m_valid
);
    localparam [1:0] RUN = 2'd2, RESET = 2'd3;
    localparam [2:0] BAD_CRC = 3'd1, BAD_LENGTH = 3'd2, BAD_TYPE = 3'd3, BUSY = 3'd4, OTHER_NETWORK = 3'd5, CUT = 3'd6;
    localparam [2:0] HUNT = 3'd0, SYNC = 3'd1, HEAD = 3'd2, BODY = 3'd3, TAIL = 3'd4, CHECK = 3'd5, DROP = 3'd6;
    localparam [31:0] RUN_LENGTH = BYTES + 4;
    localparam COUNT_BITS = INDEX_BITS > 4 ? INDEX_BITS : 4;
    localparam [COUNT_BITS-1:0] LAST = BYTES - 1;
    localparam IDLE_BITS = $clog2(IDLE_CYCLES + 1);
    localparam [IDLE_BITS:0] FIRST = (1 << IDLE_BITS) - IDLE_CYCLES;

    reg [2:0]            state = HUNT;
    reg [COUNT_BITS-1:0] count;  // bytes of the current part
    reg [1:0]            kind;
    reg [7:0]            sequence_number;
    reg [2:0]            status;
    reg [IDLE_BITS:0]    idle;   // counts up from the last byte; its top bit is the pause that ends a frame

    wire crc_busy, crc_good;
    wire covered = state == HEAD || state == BODY || state == TAIL;
    eq_crc32 check (
        .clk(clk), .clear(state == SYNC), .s_data(s_data), .s_valid(s_valid && covered), .next(1'b0),
        .busy(crc_busy), .value(), .good(crc_good)
    );

    // What each byte of the header must be: 2..5 the length, 6..9 (run only) the network.
    wire       is_run = kind == RUN;
    reg  [7:0] wanted;
    always @* begin
        case (count[3:0])
            4'd2: wanted = is_run ? RUN_LENGTH[7:0] : 8'd0;
            4'd3: wanted = is_run ? RUN_LENGTH[15:8] : 8'd0;
            4'd4: wanted = is_run ? RUN_LENGTH[23:16] : 8'd0;
            4'd5: wanted = is_run ? RUN_LENGTH[31:24] : 8'd0;
            4'd6: wanted = ID[7:0];
            4'd7: wanted = ID[15:8];
            4'd8: wanted = ID[23:16];
            default: wanted = ID[31:24];
        endcase
    end
    wire known = s_data[7:2] == 0 && s_data[1:0] != 0;
    wire unwanted = status == 0 && s_data != wanted;
    wire head_ends = count[3:0] == (is_run ? 4'd9 : 4'd5);

    assign w_data = s_data;
    assign w_index = count[INDEX_BITS-1:0];
    assign w_valid = state == BODY && s_valid;
    assign m_kind = kind;
    assign m_sequence = sequence_number;
    assign m_status = status;

    always @(posedge clk) begin
        m_valid <= 1'b0;
        if (s_valid) idle <= FIRST;
        else if (!idle[IDLE_BITS]) idle <= idle + 1'b1;
        if (rst) state <= HUNT;
        else if (state == CHECK) begin
            if (!crc_busy) begin
                state   <= crc_good ? HUNT : DROP;
                status  <= crc_good ? 3'd0 : BAD_CRC;
                m_valid <= 1'b1;
            end
        end else if (s_valid) begin
            count <= count + 1'b1;
            case (state)
                HUNT: if (s_data == 8'ha5) state <= SYNC;
                SYNC: begin
                    if (s_data == 8'h5e) state <= HEAD;
                    else if (s_data != 8'ha5) state <= HUNT;
                    count  <= 0;
                    status <= 3'd0;
                end
                HEAD: begin
                    if (count[3:0] == 4'd0) begin
                        kind   <= s_data[1:0];
                        status <= known ? 3'd0 : BAD_TYPE;
                    end else if (count[3:0] == 4'd1) sequence_number <= s_data;
                    else if (unwanted) status <= count[3:0] < 4'd6 ? BAD_LENGTH : OTHER_NETWORK;
                    if (head_ends) begin
                        count <= 0;
                        state <= is_run ? BODY : TAIL;
                        if (status != 0 || unwanted || (busy && kind != RESET)) begin
                            state   <= DROP;
                            m_valid <= 1'b1;
                            if (status == 0 && !unwanted) status <= BUSY;
                        end
                    end
                end
                BODY: if (count == LAST) begin
                    count <= 0;
                    state <= TAIL;
                end
                TAIL: if (count[1:0] == 2'd3) state <= CHECK;
                default: ;
            endcase
        end else if (idle[IDLE_BITS] && state != HUNT) begin
            state <= HUNT;
            if (state == BODY || state == TAIL) begin
                status  <= CUT;
                m_valid <= 1'b1;
            end
        end
    end
endmodule
