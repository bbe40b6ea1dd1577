/**
 * What a data set is about, by the names of its columns, where nobody has said so: the category of which most are there, two
 * at least; of several the first in this list. Documented in docs/quality.md.
 */
const CATEGORIES: readonly (readonly [category: string, columns: readonly string[]])[] = [
  [
    'customer',
    [
      ...[
        'email',
        'mail',
        'phone',
        'mobile',
        'first name',
        'last name',
        'full name',
        'customer',
        'customer id',
        'birthday',
      ],
      ...['date of birth', 'company', '客户', '姓名', '电话', '手机', '邮箱'],
    ],
  ],
  [
    'order',
    [
      ...['order', 'order id', 'order date', 'quantity', 'total', 'discount', 'shipping', 'basket', 'cart'],
      ...['订单', '订单号', '数量', '总价'],
    ],
  ],
  [
    'product',
    ['sku', 'product', 'product id', 'product name', 'price', 'brand', 'stock', 'barcode', '产品', '价格', '品牌'],
  ],
  [
    'finance',
    [
      'amount',
      'currency',
      'iban',
      'bic',
      'account',
      'balance',
      'invoice',
      'transaction id',
      '金额',
      '账户',
      '余额',
      '发票',
    ],
  ],
  [
    'travel',
    [
      'flight',
      'airline',
      'carrier',
      'origin',
      'destination',
      'departure',
      'arrival',
      'delay',
      'distance',
      '航班',
      '出发地',
      '目的地',
    ],
  ],
  [
    'vehicle',
    [
      'horsepower',
      'cylinders',
      'miles per gallon',
      'displacement',
      'acceleration',
      'mileage',
      'vin',
      'model',
      'make',
      'weight in lbs',
    ],
  ],
  [
    'location',
    [
      ...[
        'latitude',
        'longitude',
        'lat',
        'lon',
        'lng',
        'city',
        'country',
        'state',
        'region',
        'zip',
        'zip code',
        'postcode',
      ],
      ...['postal code', 'address', 'street', '城市', '国家', '地址', '纬度', '经度'],
    ],
  ],
  [
    'media',
    ['title', 'genre', 'major genre', 'director', 'release date', 'rating', 'imdb rating', 'artist', 'album', 'author'],
  ],
  [
    'measurement',
    [
      'temperature',
      'humidity',
      'pressure',
      'sensor',
      'sensor id',
      'device id',
      'voltage',
      'precipitation',
      'wind',
      '温度',
      '湿度',
    ],
  ],
  ['employee', ['salary', 'department', 'position', 'hire date', 'employee id', 'manager', '工资', '部门', '职位']],
  [
    'health',
    ['patient', 'patient id', 'diagnosis', 'symptom', 'blood pressure', 'heart rate', 'medication', '患者', '诊断'],
  ],
  ['log', ['level', 'message', 'timestamp', 'user agent', 'status code', 'ip', 'trace id', 'host', '日志', '级别']],
  [
    'text',
    ['text', 'label', 'sentence', 'sentiment', 'review', 'comment', 'question', 'answer', '文本', '标签', '评论'],
  ],
]

const LEAST = 2

/** The category of columns of these names; null when they tell none. */
export function categoryOf(columns: Iterable<string>): string | null {
  const words = new Set([...columns].map(wordsOf))
  let [found, most] = [null as string | null, LEAST - 1]
  for (const [category, names] of CATEGORIES) {
    const count = names.filter(name => words.has(name)).length
    if (count > most) [found, most] = [category, count]
  }
  return found
}

/** A name as words in lower case: `firstName`, `First-Name` and `first_name` are one. */
function wordsOf(name: string): string {
  return name
    .replace(/(\p{Ll}|\d)(\p{Lu})/gu, '$1 $2')
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()
    .toLowerCase()
}
