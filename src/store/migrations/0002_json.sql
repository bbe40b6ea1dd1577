-- PostgreSQL's json refuses what JSON allows: the escape of U+0000 and of half a surrogate pair, where it meets them.
-- Such a text is read with U+FFFD in their place, which is only compared with, never shown.
create function superinsight.json_of(text text) returns json
language plpgsql immutable strict parallel safe as $$
begin
  return text::json;
exception when others then
  return regexp_replace(text, '\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', '\ufffd', 'g')::json;
end $$;

-- A JSON number as a numeric, exact; one past what a numeric holds is infinite, or zero when it is that small.
create function superinsight.number_of(text text) returns numeric
language plpgsql immutable strict parallel safe as $$
begin
  return text::numeric;
exception when others then
  if text ~ '[eE]-' then return 0; end if;
  return case when text like '-%' then '-Infinity'::numeric else 'Infinity'::numeric end;
end $$;
