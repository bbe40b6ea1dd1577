import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** A reader that shares no code with the service: Kafka's own consumer, Apache Avro, the registry's HTTP interface. */
public class OutsideConsumer {
  public static void main(String[] args) throws Exception {
    String brokers = args[0], registry = args[1], topic = args[2], dataset = args[3];
    int wanted = Integer.parseInt(args[4]);
    Properties properties = new Properties();
    properties.put("bootstrap.servers", brokers);
    properties.put("group.id", "outside-" + System.nanoTime());
    properties.put("auto.offset.reset", "earliest");
    properties.put("isolation.level", "read_committed");
    Map<Integer, Schema> schemas = new HashMap<>();
    HttpClient http = HttpClient.newHttpClient();
    int found = 0;
    long end = System.currentTimeMillis() + 60_000;
    try (KafkaConsumer<byte[], byte[]> consumer =
        new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      consumer.subscribe(List.of(topic));
      while (found < wanted && System.currentTimeMillis() < end) {
        for (ConsumerRecord<byte[], byte[]> message : consumer.poll(Duration.ofMillis(500))) {
          ByteBuffer frame = ByteBuffer.wrap(message.value());
          if (frame.get() != 0) throw new IllegalStateException("no Confluent frame at offset " + message.offset());
          int id = frame.getInt();
          if (!schemas.containsKey(id)) {
            URI uri = URI.create(registry + "/schemas/ids/" + id);
            String body = http.send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofString()).body();
            String schema = (String) new com.fasterxml.jackson.databind.ObjectMapper().readValue(body, Map.class).get("schema");
            schemas.put(id, new Schema.Parser().parse(schema));
          }
          var decoder = DecoderFactory.get().binaryDecoder(message.value(), 5, message.value().length - 5, null);
          GenericRecord event = new GenericDatumReader<GenericRecord>(schemas.get(id)).read(null, decoder);
          if (!event.get("dataset").toString().equals(dataset)) continue;
          found++;
          String key = new String(message.key(), "UTF-8").replace('\0', '|');
          System.out.println(key + "\t" + event.get("id") + "\t" + event.get("op") + "\t" + event.get("data"));
        }
      }
    }
    if (found < wanted) throw new IllegalStateException("found " + found + " of " + wanted);
  }
}
