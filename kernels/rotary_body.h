/* SPDX-License-Identifier: Apache-2.0 */
/* Rotary embedding for one storage type; see rotary.haly.c. This file has no include guard. */
HALY_KERNEL_SIZED(REAL_NAME(rotary), HALY_GROUP_SIZE_SHARED_LINES(256, 1, 1), (IN, REAL, x), (IN, void, positions),
                  (IN, void, cos_cache), (IN, void, sin_cache), (OUT, REAL, y), (VAL, struct haly_rotary, a))
{
    HALY_LOCAL(float, cosine, 256);
    HALY_LOCAL(float, sine, 256);
    const haly_i64 s = HALY_GROUP(0), b = HALY_GROUP(1);
    HALY_GLOBAL const REAL *from = x + b * a.x_strides[0] + s * a.x_strides[1];
    HALY_GLOBAL REAL *to = y + b * a.y_strides[0] + s * a.y_strides[1];
    const haly_i64 position = rotary_position(&a, positions, b, s);
    const haly_u32 pairs = a.rotary_dim / 2;
    const haly_i64 first_step = a.interleaved != 0 ? 2 : 1; /* pair j starts at j * first_step */
    const haly_i64 partner = a.interleaved != 0 ? 1 : (haly_i64)pairs;
    for (haly_u32 p0 = 0; p0 < pairs; p0 += HALY_ITEM_COUNT) {
        HALY_ITEMS_BELOW(t, pairs - p0)
        {
            rotary_angle(&a, cos_cache, sin_cache, position, p0 + t, &cosine[t], &sine[t]);
        }
        for (haly_u32 h = 0; h < a.heads; h++) {
            HALY_GLOBAL const REAL *head = from + (haly_i64)h * a.x_strides[2];
            HALY_GLOBAL REAL *out = to + (haly_i64)h * a.y_strides[2];
            HALY_ITEMS_BELOW_NB(t, pairs - p0)
            {
                const haly_i64 i = (haly_i64)(p0 + t) * first_step;
                const float u = REAL_LOAD(head[i * a.x_strides[3]]);
                const float v = REAL_LOAD(head[(i + partner) * a.x_strides[3]]);
                out[i * a.y_strides[3]] = REAL_STORE(u * cosine[t] - v * sine[t]);
                out[(i + partner) * a.y_strides[3]] = REAL_STORE(v * cosine[t] + u * sine[t]);
            }
        }
        HALY_BARRIER; /* the tables are written again */
    }
    for (haly_u32 h = 0; h < a.heads; h++)
        for (haly_u32 i = a.rotary_dim + PLANTED_OR(rotary_skips_an_element, 0, 1); i < a.head_size;
             i += HALY_ITEM_COUNT)
            HALY_ITEMS_BELOW_NB(t, a.head_size - i)
            {
                to[(haly_i64)h * a.y_strides[2] + (haly_i64)(i + t) * a.y_strides[3]] =
                    from[(haly_i64)h * a.x_strides[2] + (haly_i64)(i + t) * a.x_strides[3]];
            }
}
